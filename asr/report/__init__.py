"""What an evaluation leaves behind: report.json for programs, report.md for a pull request, trn files for sclite, and
index.html for people."""
