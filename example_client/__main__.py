"""`python -m example_client`."""

import sys

if __name__ == "__main__":
    try:
        from example_client.cli import main

        sys.exit(main())
    except KeyboardInterrupt:  # while the modules were still being loaded
        sys.exit(130)
