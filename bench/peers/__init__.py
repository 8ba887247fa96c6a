"""Other ways to push the same messages, as small as their own documentation shows them, to be measured against."""
