"""The parts of bench/scorecard: servers, clients, rows, runs, report and chart."""
