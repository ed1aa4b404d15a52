"""Writes html-entities.txt: HTML 5's named character references as `name codepoint…` in hex.

As in ftfy 6, a lower-case name also counts in upper case, unless HTML gives that another meaning.
Usage: make_html_entities.py > tokenizers/src/main/resources/dev/darkroom/tokenizers/html-entities.txt
"""
import html
import html.entities

table = {}
for name, text in html.entities.html5.items():
    if name.endswith(";"):
        table[name[:-1]] = text
        upper = f"&{name.upper()}"
        if name == name.lower() and html.unescape(upper) == upper:
            table[name[:-1].upper()] = text.upper()
for name, text in sorted(table.items()):
    if len(name) <= 24:
        print(name, *(f"{ord(c):x}" for c in text))
