// Signatures of architecture tests beside those of a reference model.
#pragma once
#include <string>

namespace hartline {

// The file with the signature of test `name` ("F/fadd_b1-01") in `folder`: NAME.signature or
// NAME.reference_output, there or without the test's own folders. Throws InputError when there is none.
std::string find_reference(const std::string& folder, const std::string& name);
// What is wrong with `signature` (lines of hexadecimal digits); empty if it is that of file `reference`.
// Throws InputError when the file cannot be read, or holds nothing.
std::string compare_signature(const std::string& signature, const std::string& reference);
}  // namespace hartline
