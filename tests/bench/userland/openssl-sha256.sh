# OpenSSL's SHA-256.
# unit: bytes 60000000
head -c "$COUNT" /dev/zero | openssl dgst -sha256
