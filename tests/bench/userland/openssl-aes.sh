# OpenSSL's AES-128 in CBC mode, and back.
# unit: bytes 30000000
key=(-K 000102030405060708090a0b0c0d0e0f -iv 0f0e0d0c0b0a09080706050403020100)
head -c "$COUNT" /dev/zero | openssl enc -aes-128-cbc "${key[@]}" > encrypted
md5sum encrypted
openssl enc -d -aes-128-cbc "${key[@]}" < encrypted | md5sum
