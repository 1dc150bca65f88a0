"""`gateway app` and `gateway consumer`: the two processes of this service."""

from marquee.process import run


def main() -> None:
    run(app="gateway.app", consumer="gateway.consumer", app_uses_bus=True)


if __name__ == "__main__":
    main()
