# Python started, with imports, several times: mostly code that runs once.
# unit: starts 3
for ((i = 0; i < COUNT; i++)); do
    python3 -c "
import argparse, collections, csv, datetime, decimal, email.message, hashlib, http.client, json, logging, pathlib
import random, re, sqlite3, subprocess, tempfile, textwrap, unittest, urllib.request, xml.dom.minidom, zipfile
print($i, json.dumps({'path': str(pathlib.PurePath('a') / 'b'), 'sum': str(decimal.Decimal('0.1') * 3)}))"
done
