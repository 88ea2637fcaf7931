"""Names of disease categories that fit a column."""

import pytest
from django.utils.translation import override

from patients.icd10 import CHAPTERS, SHORT_NAMES
from patients.models import DiseaseCategory

WIDTH = 24


@pytest.mark.parametrize("language", ["en", "fr"])
def test_each_chapter_has_a_short_name_that_is_whole(language):
    assert set(SHORT_NAMES) == {code for code, _name, _blocks in CHAPTERS}
    with override(language):
        for code, name, _blocks in CHAPTERS:
            short = DiseaseCategory(code=code, name=name).short_name
            assert short == str(SHORT_NAMES[code])
            assert len(short) <= WIDTH


def test_a_renamed_chapter_and_a_hospitals_own_go_by_their_names():
    assert DiseaseCategory(code="IX", name="Heart").short_name == "Heart"
    assert DiseaseCategory(code="MRSA", name="Isolation").short_name == "Isolation"


def test_a_long_name_is_cut_off():
    short = DiseaseCategory(code="MRSA", name="Isolation " * 20).short_name
    assert short.endswith("…")
    assert len(short) == WIDTH
