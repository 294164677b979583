"""Texts that are no formulas: attempts to reach Python, to stop it, or to leave the place a formula has in a file."""

from itertools import product

WALKS = ["a.__class__", "a.real", "(a).__class__.__mro__", "().__class__.__bases__[0]", "a.__dict__", "exp.__globals__",
         "a.subs", "a.diff(a)", "(1).bit_length()", "a.free_symbols", "exp(a).func", "a.__init__.__globals__"]  # fmt: skip
NAMES = ["__import__", "open", "W", "b", "os", "sys", "eval", "exec", "compile", "globals", "locals", "vars", "dir",
         "getattr", "setattr", "delattr", "input", "print", "exit", "quit", "help", "breakpoint", "memoryview", "object",
         "type", "super", "int", "float", "str", "bytes", "list", "dict", "set", "lambdify", "sympify", "S", "Symbol",
         "Function", "Derivative", "np", "numpy", "math", "real", "zero", "one", "x", "h", "f", "y", "l", "n0", "W1", "b1",
         "a1", "h1", "dW1", "step", "order", "kernel", "njit", "SPEC", "Trainer", "self", "total", "losses", "E", "I",
         "oo", "nan", "inf", "zoo", "__name__", "__file__", "_", "__", "None_", "floor", "ceil", "round"]  # fmt: skip
CALLS = ["__import__", "open", "eval", "exec", "getattr", "print", "lambdify", "sympify", "Symbol", "floor", "np",
         "type", "W", "input", "breakpoint", "globals", "factorial", "gamma", "diff", "integrate"]  # fmt: skip
SYNTAX = [
    "lambda: a", "lambda a: a", "(lambda: a)()", "[a for a in a]", "{a for a in a}", "{a: a for a in a}", "(a for a in a)",
    "[a]", "{a}", "{}", "[]", "()", "(a,)", "a, a", "a; a", "a = 3", "(a := 3)", "a if a", "if a: a", "for a in a: a",
    "import os", "from os import path", "del a", "return a", "yield a", "(yield a)", "await a", "async a", "raise a",
    "assert a", "global a", "pass", "def g(a): return a", "class A: pass", "with a: a", "while a: a", "try: a", "@a",
    "print a", "*a", "**a", "exp(*a)", "exp(**a)", "exp(x=a)", "exp(a=a)", "a[0]", "a[a]", "a[:]", "a[...]", "...",
    "a is a", "a in a", "a not in a", "a == a", "a != a", "a @ a", "a // a", "a % a", "a & a", "a | a", "a ^ a", "~a",
    "a << 1", "a >> 1", "f'{a}'", "'a'", '"a"', "b'a'", "r'a'", "'''a'''", '"""', "'", "`a`", "a!", "a?", "a$", "#a",
    "a # b", "a \\ a", "\\", "a\\n", "{a!r}", "%s", "{0}", "${a}", "$(a)", "a and a", "a or a", "not a", "a < a", "True",
    "False", "None", "1j", "1e5j", "0x41", "0b1", "0o7", "1_000", "2a", "1if a>0else 2", "1e400", "1e-400", "1e31", "exp",
    "exp()", "exp(a, a)", "max(a)", "max()", "sqrt", "-", "+", "*", "", " ", "()()", "exp(a)(a)", "a(a)", "2(a)",
    "1/0", "a/0", "a/(a-a)", "0**-1", "log(0)", "log(-1)", "sqrt(-1)", "asin(2)", "acosh(0)", "(-1)**0.5", "a**a", "(-2)**a",
    "a if 1 > 0 else 2", "a if a else 2", "a if a == 0 else 1", "exp(a) > 0", "sqrt(-1-a**2)*0+log(-2)", "a..b", "a.5",
]  # fmt: skip
LARGE = [
    "9**9**9", "9**9**9**9", "exp(exp(exp(exp(9))))", "((a+1)**64+1)**64", "(a**64)**64", "a**65", "a**-65", "a**1e9",
    "a**(10**9)", "2**1000", "(1e30)**64", "1e30*1e30", "1e-30/1e30", "exp(1000)", "exp(-1000)", "cosh(1000)", "9" * 400,
    "9" * 4000, "1." + "0" * 600, "a" * 501, "a+" * 250 + "a", "(" * 41 + "a" + ")" * 41, "(" * 5000, "-" * 450 + "a",
    "exp(" * 60 + "a" + ")" * 60, "a*" * 240 + "a", "a**" * 60 + "2", "not " * 100 + "a", "a if a>0 else " * 60 + "a",
    "((a**8)**8)**8", "(a*a*a*a*a*a*a*a)**9", "[" * 450, "+" * 499 + "1",
]  # fmt: skip
LOOKALIKES = ["а", "ａ", "𝐚", "a²", "a×a", "a÷2", "a−1", "aﬀ", "exp（a）", "π", "ехр(a)", "a\u200b", "\u202ea", "a\xa0+1",
              "∞", "√a", "½", "a٠", "①", "ｅxp(a)", "a\ufeff", "µ", "a‿a"]  # fmt: skip
ESCAPES = [
    '"""\nimport os\n"""', "a\nimport os", "a\rimport os", "a\r\n1", "a\n", "\na", "a\t+1", "a\x00", "a\x0b", "a\x0c1",
    "a\x1b[31m", 'a"""', "a'''", 'a"', "a'", "a\\", "a\\\n+1", "a # \n", '"""#', "a\u2028b", "a\u2029b", "a\x85b", "a\x7f",
    "a;import os", "*/", "<!--", "a{b}", "a}", "{a", "a%(b)s", "a`", "$a", "@a", "a?b", "a:b", "a~", "a|b", "a&b",
]  # fmt: skip

HOSTILE = [
    *WALKS, *NAMES, *(f"{name}(a)" for name in CALLS), *SYNTAX, *LARGE, *LOOKALIKES, *ESCAPES,
    *(f"{one}{other}" for one, other in product(("a +", "a * ", "exp("), ("os.system", "W[0]", "__import__('os')"))),
]  # fmt: skip
