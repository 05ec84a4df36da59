#!/usr/bin/env python3
"""Debian's installer, as it comes by the network, reaches its first screen and its second one.

usage: installer.py HARTLINE
"""
import os
import re
import sys

from console import ROOT, Console, check

home = os.path.join(ROOT, "build", "guests", "installer")
guest = Console(sys.argv[1], os.path.join(home, "linux"), "--initrd", os.path.join(home, "initrd.gz"), "--quiet")
guest.expect("Select a language")
screen = guest.expect("<Go Back>")
# Attributes and cursor movements lie between the words.
text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][AB0]", "", screen)
check("Language:" in text, "the list of languages", guest)
guest.type("\r")
guest.expect("Select your location")
guest.process.terminate()
