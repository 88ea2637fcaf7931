"""The chapters of ICD-10 (WHO, version 2019), the disease categories of a new installation."""

import functools

from django.utils.translation import get_language, gettext, gettext_noop, override
from django.utils.translation import gettext_lazy as _

CHAPTERS = [
    ("I", gettext_noop("Certain infectious and parasitic diseases"), "A00-B99"),
    ("II", gettext_noop("Neoplasms"), "C00-D48"),
    (
        "III",
        gettext_noop(
            "Diseases of the blood and blood-forming organs and certain disorders involving the "
            "immune mechanism"
        ),
        "D50-D89",
    ),
    ("IV", gettext_noop("Endocrine, nutritional and metabolic diseases"), "E00-E90"),
    ("V", gettext_noop("Mental and behavioural disorders"), "F00-F99"),
    ("VI", gettext_noop("Diseases of the nervous system"), "G00-G99"),
    ("VII", gettext_noop("Diseases of the eye and adnexa"), "H00-H59"),
    ("VIII", gettext_noop("Diseases of the ear and mastoid process"), "H60-H95"),
    ("IX", gettext_noop("Diseases of the circulatory system"), "I00-I99"),
    ("X", gettext_noop("Diseases of the respiratory system"), "J00-J99"),
    ("XI", gettext_noop("Diseases of the digestive system"), "K00-K93"),
    ("XII", gettext_noop("Diseases of the skin and subcutaneous tissue"), "L00-L99"),
    (
        "XIII",
        gettext_noop("Diseases of the musculoskeletal system and connective tissue"),
        "M00-M99",
    ),
    ("XIV", gettext_noop("Diseases of the genitourinary system"), "N00-N99"),
    ("XV", gettext_noop("Pregnancy, childbirth and the puerperium"), "O00-O99"),
    ("XVI", gettext_noop("Certain conditions originating in the perinatal period"), "P00-P96"),
    (
        "XVII",
        gettext_noop("Congenital malformations, deformations and chromosomal abnormalities"),
        "Q00-Q99",
    ),
    (
        "XVIII",
        gettext_noop(
            "Symptoms, signs and abnormal clinical and laboratory findings, not elsewhere "
            "classified"
        ),
        "R00-R99",
    ),
    (
        "XIX",
        gettext_noop("Injury, poisoning and certain other consequences of external causes"),
        "S00-T98",
    ),
    ("XX", gettext_noop("External causes of morbidity and mortality"), "V01-Y98"),
    (
        "XXI",
        gettext_noop("Factors influencing health status and contact with health services"),
        "Z00-Z99",
    ),
    ("XXII", gettext_noop("Codes for special purposes"), "U00-U85"),
]

# For a column, where the names above would be ten lines high.
SHORT_NAMES = {
    "I": _("Infections"),
    "II": _("Neoplasms"),
    "III": _("Blood, immunity"),
    "IV": _("Metabolism"),
    "V": _("Mental disorders"),
    "VI": _("Nervous system"),
    "VII": _("Eye"),
    "VIII": _("Ear"),
    "IX": _("Circulatory system"),
    "X": _("Respiratory system"),
    "XI": _("Digestive system"),
    "XII": _("Skin"),
    "XIII": _("Musculoskeletal"),
    "XIV": _("Genitourinary"),
    "XV": _("Pregnancy, childbirth"),
    "XVI": _("Perinatal"),
    "XVII": _("Congenital"),
    "XVIII": _("Symptoms, findings"),
    "XIX": _("Injury, poisoning"),
    "XX": _("External causes"),
    "XXI": _("Health status"),
    "XXII": _("Special purposes"),
}
_NAMES = {code: name for code, name, _blocks in CHAPTERS}


def name_in(language: str, code: str, name: str) -> str:
    """Return a chapter's name in `language`, "en" or "fr".

    Of what is no chapter, or was given another name, the name as it is.
    """
    return _translated(language, name) if _NAMES.get(code) == name else name


@functools.cache
def _translated(language: str, name: str) -> str:
    with override(language):
        return gettext(name)


def shown_name(code: str, name: str) -> str:
    """Return what `name_in` does, in the present language."""
    return name_in(get_language() or "en", code, name)


def short_name(code: str, name: str) -> str:
    """Return a chapter's short name in the present language.

    Of what is no chapter, or was given another name, the name as it is.
    """
    return str(SHORT_NAMES[code]) if _NAMES.get(code) == name else name
