"""Reading a CSV file: rows with their lines, and files that are none."""

import pytest

from patients.importers.csvfile import BadRow, CsvFile, ImportFailed

COLUMNS = ("A", "C")


@pytest.fixture
def read(tmp_path):
    """Return a function that reads bytes as a CSV file with the columns A and C."""

    def read(data, advance=None):
        path = tmp_path / "some.csv"
        path.write_bytes(data)
        return list(CsvFile(path, COLUMNS).rows(advance))

    return read


def test_rows_come_with_their_lines_and_the_columns_asked_for(read):
    assert read(b"A,B,C\n1,2,3\n4,5,6\n") == [(2, ("1", "3")), (3, ("4", "6"))]


def test_columns_are_found_in_any_order_and_case(read):
    assert read(b"c,b, a \n3,2,1\n") == [(2, ("1", "3"))]


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfA,C\r\n1,\xc3\xa9\r\n", b'A,C\n1,"\xc3\xa9"'])
def test_bom_crlf_quotes_and_a_missing_last_newline(read, data):
    assert read(data) == [(2, ("1", "é"))]


def test_a_cell_over_several_lines_counts_from_its_first(read):
    assert read(b'A,C\n"1\n1",2\n\n3,4\n') == [(2, ("1\n1", "2")), (5, ("3", "4"))]


def test_a_row_with_other_cells_than_the_header_is_bad(read):
    assert read(b"A,B,C\n1,2\n1,2,3,4\n1,2,3\n") == [
        BadRow("some.csv", 2, "has 2 cells instead of 3"),
        BadRow("some.csv", 3, "has 4 cells instead of 3"),
        (4, ("1", "3")),
    ]


def test_a_quote_that_swallows_lines_is_said_to(read):
    (bad,) = read(b'A,C\n1,2,"3\n4,5\n6,7"\n')
    assert str(bad) == "some.csv, line 2: has 3 cells instead of 2, over 3 lines"


def test_a_row_in_another_encoding_is_bad_and_the_others_are_not(read):
    assert read(b"A,C\n1,\xe9\n3,4\n") == [
        BadRow("some.csv", 2, "is not UTF-8"),
        (3, ("3", "4")),
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "some.csv is empty"),
        (b"A,B\n1,2\n", "some.csv has no column C"),
        (b"A;C\n1;2\n", "some.csv has no column A, C"),
        ("A,C\n1,2\n".encode("utf-16"), "some.csv is not UTF-8"),
        (b'A,C\n1,2\n1,"2\n3,4\n', "some.csv, line 3: not CSV"),
        (b'A,C\n1,"2"x\n', "some.csv, line 2: not CSV"),
        (b"A,C\n1,\x0d2\n", "some.csv, line 2: not CSV"),
        (b'"A,C\n', "some.csv, line 1: not CSV"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole(read, data, message):
    with pytest.raises(ImportFailed, match=f"^{message}"):
        read(data)


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ImportFailed, match=str(path)):
            list(CsvFile(path, COLUMNS).rows())


def test_progress_adds_up_to_the_size(read):
    data, steps = b"A,C\n" + b"1,2\n" * 200_000, []
    read(data, steps.append)
    assert sum(steps) == len(data)
    assert len(steps) > 2
