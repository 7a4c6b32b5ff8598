"""Made-up people."""

import random


def random_cpf() -> str:
    """Return a CPF that nobody has, most likely: 11 digits, the last two of which check the others."""
    digits = [random.randrange(10) for _ in range(8)]  # noqa: S311 -- guards nothing
    digits.append((digits[0] + 1) % 10)  # All digits equal would be no CPF.
    for _ in range(2):
        weights = range(len(digits) + 1, 1, -1)
        digits.append(sum(digit * weight for digit, weight in zip(digits, weights, strict=True)) * 10 % 11 % 10)
    return "".join(map(str, digits))
