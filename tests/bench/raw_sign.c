/* What a DKIM signature costs when there is nothing around it: OpenSSL signs the same
 * kilobyte again and again with a key parsed once.
 *
 *     raw_sign KEY.pem MILLISECONDS
 *
 * Prints one JSON object: done, cpu_ms (of one signature). RSA signs SHA-256 of the data,
 * Ed25519 the SHA-256 of it (RFC 8463). */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int sign(EVP_MD_CTX *ctx, EVP_PKEY *key, const unsigned char *data, size_t len)
{
	unsigned char digest[32], signature[512];
	size_t n = sizeof(signature);

	EVP_MD_CTX_reset(ctx);
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		return EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		       EVP_DigestSign(ctx, signature, &n, data, len) == 1;
	return EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) == 1 &&
	       EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestSign(ctx, signature, &n, digest, sizeof(digest)) == 1;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 3 ? fopen(argv[1], "r") : NULL;
	EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char data[1024];
	int64_t from_us, used_us = 0;
	long done = 0;

	if (!key || !ctx) {
		fprintf(stderr, "usage: raw_sign KEY.pem MILLISECONDS\n");
		return 2;
	}
	memset(data, 'x', sizeof(data));
	if (!sign(ctx, key, data, sizeof(data)))
		return 1;
	for (from_us = cpu_us(); used_us < atol(argv[2]) * 1000; done++) {
		if (!sign(ctx, key, data, sizeof(data)))
			return 1;
		used_us = cpu_us() - from_us;
	}
	printf("{\"done\": %ld, \"cpu_ms\": %.4f}\n", done,
	       (double)used_us / 1e3 / (double)done);
	return 0;
}
