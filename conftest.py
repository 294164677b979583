"""The flag with which the committed generated modules are written again."""


def pytest_addoption(parser):
    parser.addoption("--rewrite", action="store_true", help="write generated/ again instead of comparing with it")
