// Expands the rows of fp_ops.def into the functions that evaluate them.

#include "cpu/fp/fp.hpp"

#include "cpu/fp/arithmetic.hpp"
#include "cpu/fp/compare.hpp"
#include "cpu/fp/convert.hpp"

namespace hartline::fp {

#define FP_OP(name, format, ...)                                                                   \
    template <>                                                                                    \
    u64 evaluate<Op::name>([[maybe_unused]] u64 a, [[maybe_unused]] u64 b, [[maybe_unused]] u64 c, \
                           Rounding rounding, u32 & flags) {                                       \
        using F = format;                                                                          \
        [[maybe_unused]] const Context ctx{rounding, flags};                                       \
        return __VA_ARGS__;                                                                        \
    }
#include "cpu/fp/fp_ops.def"

std::string_view name(Op op) {
    static constexpr std::array<std::string_view, kOpCount> kName{
#define FP_OP(name, ...) #name,
#include "cpu/fp/fp_ops.def"
    };
    return kName[static_cast<std::size_t>(op)];
}

}  // namespace hartline::fp
