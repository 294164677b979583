"""Networks with each kind of layer, small enough for every check: rational activations where fractions should be exact."""

from sympy import Max

from symbackprop.definitions.layer import layer
from symbackprop.definitions.layers import (
    averagepool,
    conv,
    conv1d,
    dense,
    embedding,
    gated,
    layer_normalised,
    linear,
    low_rank_quadratic,
    maxout,
    maxpool,
    quadratic,
    rbf,
    residual,
    tied,
    weight_normalised,
)

RATIONAL = "a/(1 + a**2)"
SQUARED = {"loss": "squared", "penalty": "l2"}
NLL = {"loss": "nll", "penalty": "l2"}


def hinge(f, y, axis):
    return axis.sum(lambda i: Max(0, 1 + f[i] - f[y])) - 1


def between(made, *, rational=True):
    """A layer of four inputs between two dense ones."""
    g = RATIONAL if rational else "tanh"
    return [dense(4), g, made, g, dense(2)], (3,), SQUARED if rational else NLL


def own(text, *, rational=True, **values):
    return between(layer(text, **values), rational=rational)


BUILT_IN = {
    "dense": between(dense(3)),
    "linear": between(linear(3)),
    "rbf": between(rbf(3)),
    "quadratic": between(quadratic(3)),
    "low_rank_quadratic": between(low_rank_quadratic(3, 2)),
    "gated": between(gated(3), rational=False),
    "weight_normalised": between(weight_normalised(3), rational=False),
    "layer_normalised": between(layer_normalised(3), rational=False),
    "residual": between(residual()),
    "maxout": between(maxout(3, 2)),
    "conv1d": ([conv1d(2, 3, padding=1), RATIONAL, conv1d(2, 2, stride=2), RATIONAL, dense(2)], (2, 6),
               {"loss": "squared", "penalty": "l1"}),
    "conv": ([conv(2, 3), RATIONAL, conv(2, 2, stride=2, padding=1), RATIONAL, dense(2)], (1, 5, 5), SQUARED),
    "conv of several channels": ([conv(4, 3), "tanh", conv(6, 2), "tanh", averagepool(2), dense(2)], (1, 7, 7), NLL),
    "averagepool": ([conv(2, 2), RATIONAL, averagepool(2), dense(2)], (1, 5, 5), SQUARED),
    "overlapping averagepool": ([conv(2, 2), RATIONAL, averagepool(2, stride=1), dense(2)], (1, 4, 4), SQUARED),
    "maxpool": ([conv(2, 2), RATIONAL, maxpool(2), dense(2)], (1, 5, 5), SQUARED),
    "overlapping maxpool": ([conv(2, 2), maxpool(3, stride=1), RATIONAL, dense(2)], (1, 5, 5), SQUARED),
    "tied": ([dense(2), RATIONAL, tied("W1")], (3,), SQUARED),
    "embedding": ([embedding(5, 2), dense(3), RATIONAL, dense(2)], (3,), SQUARED),
    "hinge loss": ([dense(4), RATIONAL, dense(3)], (3,), {"loss": hinge, "output": "identity", "target": "label"}),
    "sigmoid beside a sum": own("a[k] = sum(W[k,r]*h[r], r) + sigmoid(h[k])", k=4, rational=False),
    "prelu": ([conv(2, 2), "prelu", dense(2)], (1, 4, 4), SQUARED),
    "slopes of units": ([conv(2, 2), "a if a > 0 else slope*a", dense(2)], (1, 4, 4),
                        SQUARED | {"learned_per_unit": {"slope": 0.25}}),
}  # fmt: skip

OWN = {
    "dilated convolution": ([layer("a[o,p] = b[o] + sum(W[o,c,u]*h[c,p+2*u], c, u)", o=2, u=2), RATIONAL, dense(2)],
                            (1, 5), SQUARED),
    "dilated with stride": ([layer("a[o,p] = b[o] + sum(W[o,c,u]*h[c,3*p+2*u], c, u)", o=2, u=2), RATIONAL, dense(2)],
                            (1, 7), SQUARED),
    "cosine similarity": own("a[i] = sum(W[i,j]*h[j], j)/sqrt((c + sum(W[i,j]**2, j))*(c + sum(h[j]**2, j)))",
                             rational=False, i=3, c=0.01),
    "bilinear pooling": ([dense(3), RATIONAL, dense(2), RATIONAL,
                          layer("a[i] = b[i] + sum(W[i,j,k]*h[j]*u[k], j, k)", i=3, uses={"u": "h1"}), RATIONAL,
                          dense(2)], (3,), SQUARED),
    "neighbours": own("a[i] = w[i]*h[i] + v[i]*h[i+1]"),
    "diagonal": own("a[i] = b[i] + W[i,i]*h[i]"),
    "attention over units": own("s[i] = sum(W[i,j]*h[j], j); p[i] = exp(s[i])/sum(exp(s[k]), k); a[i] = p[i]*h[i]",
                                rational=False),
    "self-attention": ([layer("q[i,k] = sum(Q[k,c]*h[c,i], c); s[i,j] = sum(q[i,k]*q[j,k], k); "
                              "p[i,j] = exp(s[i,j])/sum(exp(s[i,v]), v); a[c,i] = sum(p[i,j]*h[c,j], j)", k=2),
                        "tanh", dense(2)], (2, 3), NLL),
    "zeros beyond the edges": own(
        "a[p] = b[p] + sum(w[u]*(h[p+u-1] if 1 <= p+u and p+u <= size(p) else 0), u)", u=3),
    "skipping a layer": ([dense(3), RATIONAL,
                          layer("a[i] = b[i] + sum(W[i,j]*h[j], j) + sum(V[i,k]*z[k], k)", i=3, uses={"z": "x"}),
                          RATIONAL, dense(2)], (3,), SQUARED),
    "less the mean": own("mu = sum(h[j], j)/n; a[i] = b[i] + sum(W[i,j]*(h[j] - mu), j)", i=3),
    "one gain": own("a[i] = scale*h[i] + b[i]"),
    "Toeplitz": own("a[i] = b[i] + sum(w[i+j]*h[j], j)", i=3),
    "kinks within": own("a[i] = b[i] + sum(max(W[i,j]*h[j], 0), j)", i=3),
    "city blocks": own("a[i] = b[i] + sum(abs(W[i,j] - h[j]), j)", i=3),
    "log of a sum": own("a[i] = b[i] + log(sum(exp(W[i,j]*h[j]), j))", rational=False, i=3),
    "outer product": ([dense(3), RATIONAL, layer("a[j,k] = h[j]*h[k] + b[j,k]"), RATIONAL, dense(2)], (3,), SQUARED),
    "the inputs and their sum first": ([layer("a[i] = h[i] + b[i] + sum(W[i,j]*h[j], j)"), RATIONAL, dense(2)], (3,),
                                       SQUARED),
    "rows times their number": ([layer("a[j,d] = E[h[j],d]*h[j]", d=2, rows={"E": 4}), RATIONAL, dense(2)], (3,),
                                SQUARED),
    "words in windows": ([embedding(5, 4), conv1d(2, 2), RATIONAL, dense(2)], (3,), SQUARED),
    "by the mean of a map": ([conv(2, 2), RATIONAL, layer("mu = sum(h[j], j)/n; a[i] = h[i]*mu"), "prelu", dense(2)],
                             (1, 4, 4), SQUARED),
    "attention over a map": ([conv(2, 2), "tanh",
                              layer("s[j] = g*h[j]; p[j] = exp(s[j])/sum(exp(s[k]), k); a[i] = n*p[i]*h[i]"),
                              dense(2)], (1, 4, 4), NLL),
    "totals": own("total[i] = b[i] + sum(W[i,j]*h[j], j); a[i] = total[i]*shared[i]", i=3),
    "two weights": own("a[i] = b[i] + sum(V[i,j]*W[i,j]*h[j], j)", i=3),
    "quadratic terms of a factorization machine": own(
        "a[i] = b[i] + sum(W[i,j]*h[j], j) - sum(V[j]**2*h[j]**2, j)/2", i=3),
    "powers of a shared parameter": own("a[i] = b[i] + sum(V[j]**3*h[j], j) + c**2*h[i]"),
    "the diagonal of a table, at a kink": (
        [layer("a[i] = sum(c[d,j]*h[d,j], d, j) + (c[i,i] if c[i,i] > 0 else 3/4)", i=3), RATIONAL, dense(1)], (3, 3),
        SQUARED),
    "read by every unit": own("a[i] = b[i] + sum(V[j]*V[i]*h[j], j)", i=4),
}  # fmt: skip


def alone(made, shape=(1,), *, rational=True, **options):
    """A network in which a layer has one unit, and so have those around it."""
    g = RATIONAL if rational else "tanh"
    return [*made, g, dense(1)], shape, SQUARED | options


ONE = {
    "an output": ([dense(3), RATIONAL, dense(1)], (4,), SQUARED),
    "an output of a probability": ([dense(3), "tanh", dense(1)], (4,), {"loss": "bce"}),
    "a hidden unit": ([dense(1), RATIONAL, dense(2)], (4,), SQUARED),
    "an input": ([dense(3), RATIONAL, dense(2)], (1,), SQUARED),
    "everything": alone([dense(1)], update="momentum+clip+max_norm+average"),
    "linear": alone([linear(1)]),
    "rbf": alone([rbf(1)]),
    "quadratic": alone([quadratic(1)]),
    "low_rank_quadratic": alone([low_rank_quadratic(1, 1)]),
    "gated": alone([gated(1)], (3,), rational=False),
    "weight_normalised": alone([weight_normalised(1)], (3,), rational=False),
    "layer_normalised": alone([layer_normalised(1)], (3,), rational=False),
    "residual": alone([residual()]),
    "maxout": alone([maxout(1, 2)], (3,)),
    "conv1d": alone([conv1d(1, 1)], (1, 3)),
    "conv": alone([conv(1, 3)], (1, 5, 5)),
    "conv of one pixel": alone([conv(1, 1)], (1, 1, 1), update="nesterov+average"),
    "pooled to one": alone([conv(1, 2), averagepool(2), maxpool(1)], (1, 3, 3)),
    "tied": ([dense(1), RATIONAL, tied("W1")], (1,), SQUARED),
    "embedding": alone([embedding(2, 1)], update="momentum+clip"),
    "slope of the unit": ([dense(1), "a if a > 0 else slope*a", dense(1)], (2,),
                          SQUARED | {"learned_per_unit": {"slope": 0.25}}),
    "a gain and a bias without an axis": alone([layer("a[i] = b + g*sum(W[i,j]*h[j], j)", i=1)], update="clip"),
    "nothing but numbers": ([layer("a[i] = b + g*h[i]"), RATIONAL, layer("a[i] = c*h[i]")], (1,), SQUARED),
    "quadratic terms of a factorization machine": alone(
        [layer("a[i] = b[i] + sum(W[i,j]*h[j], j) - sum(V[j]**2*h[j]**2, j)/2", i=1)]),
}  # fmt: skip
