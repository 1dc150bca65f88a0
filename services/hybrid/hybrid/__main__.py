"""`hybrid app` and `hybrid consumer`: the two processes of this service."""

from marquee.process import run


def main() -> None:
    run(app="hybrid.app", consumer="hybrid.consumer")


if __name__ == "__main__":
    main()
