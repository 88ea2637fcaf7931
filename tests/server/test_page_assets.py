"""What the page's bundle holds."""

import os
import re

import pytest
from django.conf import settings

DIST = settings.GRAPHIQL_DIST

# What DOMPurify sets up first, minified or not.
DOMPURIFY = re.compile(r"""\.version ?= ?[`"'](\d+)\.(\d+)\.\d+[`"'][,;]\s*\w+\.removed""")


def test_the_page_has_a_new_dompurify_only():
    """Monaco's sources hold one of 2024."""
    bundle = DIST / "chunks"
    if not bundle.exists():
        assert os.environ.get("CI") != "true", "GraphiQL is not built"
        pytest.skip("GraphiQL is not built: make assets")
    texts = [path.read_text() for path in bundle.glob("*.js")]
    found = [tuple(map(int, version)) for text in texts for version in DOMPURIFY.findall(text)]
    assert found
    assert min(found) >= (3, 5)
