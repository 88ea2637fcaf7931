"""The table of reasons and their categories."""

import pytest

from patients.importers.chapters import read_chapters
from patients.importers.csvfile import ImportFailed

HEADER = "snomed_code,snomed_term,icd10_chapter\n"


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a table where the categories are I and II."""

    def read(text):
        path = tmp_path / "table.csv"
        path.write_text(text)
        return read_chapters(path, {"I", "II"})

    return read


def test_codes_and_their_chapters(read):
    assert read(HEADER + "91302008,Sepsis,I\n 2 ,Cancer, II \n") == {"91302008": "I", "2": "II"}


def test_a_code_may_be_repeated_with_the_same_chapter(read):
    assert read(HEADER + "1,a,I\n1,b,I\n") == {"1": "I"}


def test_every_fault_is_named_with_its_line(read):
    rows = "1,a,I\n2,b,XXX\n,c,I\n1,d,II\n3,e\n4,f,\n"
    with pytest.raises(ImportFailed) as error:
        read(HEADER + rows)
    assert str(error.value).splitlines() == [
        "table.csv, line 3: 'XXX', the chapter of 2, is no disease category",
        "table.csv, line 4: snomed_code is blank",
        "table.csv, line 5: 1 is in another chapter further up",
        "table.csv, line 6: has 2 cells instead of 3",
        "table.csv, line 7: '', the chapter of 4, is no disease category",
    ]


def test_missing_columns(read):
    with pytest.raises(ImportFailed, match=r"table\.csv has no column icd10_chapter"):
        read("snomed_code,chapter\n1,I\n")
