"""Lets `python -m tests.testbed` find its command."""

import sys

from tests.testbed.command import main

sys.exit(main())
