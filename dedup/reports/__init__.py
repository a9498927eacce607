"""Reports of many verdicts: rows in, a page, SARIF or annotations out; see the modules."""
