// The door where there is nothing behind it: the build has no translator for its host.
#include "cpu/jit/make.hpp"

namespace hartline::jit {

bool host_supported() { return false; }
std::unique_ptr<Hart> make(HartPort&, unsigned, const HartConfig&) { return nullptr; }
std::shared_ptr<SeenCode> make_cache(const HartConfig&) { return nullptr; }
}  // namespace hartline::jit
