"""The flag with which the committed generated modules, and the texts beside tests, are written again."""


def pytest_addoption(parser):
    parser.addoption("--rewrite", action="store_true", help="write generated/ and the golden texts again, not compare")
