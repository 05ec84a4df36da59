# xz -3 of a program, and back.
# unit: bytes 4000000
head -c "$COUNT" /usr/bin/python3.13 | xz --threads=1 -3 > packed
md5sum packed
xz --threads=1 -dc packed | md5sum
