"""`python -m mnist_lab`: see `mnist_lab.cli`."""

import sys

from mnist_lab.cli import main

sys.exit(main())
