"""Servers, scripted peers and certificates for the Python tests. README.md beside this file is the
manual."""
