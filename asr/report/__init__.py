"""Reports of evaluations: report.json for programs, report.md for pull requests, trn files for sclite, and index.html
for users."""
