"""`trainer app` and `trainer consumer`: the two processes of this service."""

from marquee.process import run


def main() -> None:
    run(app="trainer.app", consumer="trainer.consumer", app_uses_bus=True, app_has_workers=False)


if __name__ == "__main__":
    main()
