"""``python -m capsule``: the same command."""

from capsule.cli import main

if __name__ == "__main__":
    main()
