# gzip -9 of a program, and back.
# unit: bytes 5000000
head -c "$COUNT" /usr/bin/python3.13 | gzip -9n > packed
md5sum packed
gzip -dc packed | md5sum
