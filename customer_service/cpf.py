"""CPF, the number of a Brazilian taxpayer: nine digits and two check digits, usually written 000.000.000-00."""

LENGTH = 11
LENGTH_MAX = 32
PUNCTUATION = str.maketrans("", "", ".-/ ")


def read_cpf(text: str) -> str:
    """Answers the 11 digits; raises ValueError with what is wrong, which never quotes the number."""
    if len(text) > LENGTH_MAX:
        raise ValueError(f"must have at most {LENGTH_MAX} characters")
    digits = text.translate(PUNCTUATION)
    if len(digits) != LENGTH or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"must be a CPF of {LENGTH} digits")
    if len(set(digits)) == 1:
        raise ValueError("must not repeat one digit")
    if digits[9:] != check_digits(digits[:9]):
        raise ValueError("has wrong check digits")
    return digits


def masked(document: str) -> str:
    """Hides the first three and the last two of 11 digits; nothing is there to hide of none."""
    return f"***.{document[3:6]}.{document[6:9]}-**" if document else ""


def check_digits(stem: str) -> str:
    """Answers the two digits that belong behind the first nine."""
    first = _check_digit(stem)
    return first + _check_digit(stem + first)


def _check_digit(digits: str) -> str:
    """Weighs the digits with ..., 4, 3, 2 from left to right; the remainder's complement to 11 is the check digit, and 10 counts as 0."""
    weights = range(len(digits) + 1, 1, -1)
    total = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))
    return str(total * 10 % 11 % 10)
