from contextlib import nullcontext

from api.load import Load, press


def test_no_two_calls_have_one_number() -> None:
    asked: list[int] = []

    def call(number: int) -> int:
        asked.append(number)
        return 200 if number % 2 else 429

    loads: list[Load] = [press(lambda: nullcontext(call), clients, 0.01) for clients in (1, 4)]
    counted = sum(len(load.took) + load.failed[429] for load in loads)
    assert len(set(asked)) == len(asked) == counted + 5  # each client's first is not counted
