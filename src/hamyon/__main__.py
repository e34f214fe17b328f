"""``python -m hamyon`` is ``hamyon``."""

from hamyon.cli import main

main()
