"""The command line beside the screens: one file a subcommand, each with `parser()` and `run(args) -> int`.

Rules. People read text, programs read `--json`; an error is text on stderr, or {"error": ...} with --json. Exit
codes: 0 done, 1 a check did not hold, 2 bad input or usage. Colour only on a terminal, and never with NO_COLOR.
"""
