import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_service.cpf import check_digits, read_cpf

STEMS = st.text("0123456789", min_size=9, max_size=9).filter(lambda stem: len(set(stem)) > 1)
CPFS = STEMS.map(lambda stem: stem + check_digits(stem))


@pytest.mark.parametrize("cpf", ["52998224725", "11144477735", "12345678909", "00000000191", "93541134780"])
def test_numbers_known_to_be_right_are_taken(cpf: str) -> None:
    assert read_cpf(cpf) == cpf


@pytest.mark.parametrize(
    "written", ["529.982.247-25", "529 982 247 25", " 52998224725 ", "529982247/25", "5.2-9/9 8224725", "529982247-25"]
)
def test_punctuation_is_dropped(written: str) -> None:
    assert read_cpf(written) == "52998224725"


@given(CPFS)
def test_any_number_with_its_check_digits_is_taken_plain_and_punctuated(cpf: str) -> None:
    assert read_cpf(cpf) == cpf
    assert read_cpf(f"{cpf[:3]}.{cpf[3:6]}.{cpf[6:9]}-{cpf[9:]}") == cpf


@given(STEMS, st.text("0123456789", min_size=2, max_size=2))
def test_of_all_endings_of_a_number_only_its_check_digits_are_taken(stem: str, ending: str) -> None:
    if ending == check_digits(stem):
        assert read_cpf(stem + ending) == stem + ending
    else:
        with pytest.raises(ValueError, match="wrong check digits"):
            read_cpf(stem + ending)


@pytest.mark.parametrize("digit", "0123456789")
def test_eleven_equal_digits_are_refused_though_their_check_digits_are_right(digit: str) -> None:
    assert check_digits(digit * 9) == digit * 2
    with pytest.raises(ValueError, match="repeat"):
        read_cpf(digit * 11)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "5299822472",
        "529982247255",
        "5299822472x",
        "529,982,247-25",
        "529982247\x0025",
        "٥٢٩٩٨٢٢٤٧٢٥",
        "५२९९८२२४७२५",
        "²²²²²²²²²²²",
    ],
)
def test_what_is_not_eleven_ascii_digits_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="must be a CPF of 11 digits"):
        read_cpf(written)


def test_punctuation_counts_for_the_length() -> None:
    assert read_cpf("52998224725" + "." * 21) == "52998224725"
    with pytest.raises(ValueError, match="at most 32"):
        read_cpf("52998224725" + "." * 22)


@given(st.text(max_size=40))
def test_whatever_is_typed_the_answer_is_eleven_digits_or_an_error_that_does_not_quote_it(written: str) -> None:
    try:
        digits = read_cpf(written)
    except ValueError as error:
        assert len(written) < 3 or written not in str(error)  # noqa: PT017 - either outcome is right.
    else:
        assert len(digits) == 11
        assert digits.isascii()
        assert digits.isdigit()
