// The modes beyond grad mode, and the decoding of devices and dtypes.
#include <ATen/autocast_mode.h>

#include "internal.h"

namespace darkroom {

c10::DeviceType decode_device_type(int64_t type) {
  require(type >= 0 && type < c10::COMPILE_TIME_MAX_DEVICE_TYPES &&
              c10::isValidDeviceType(static_cast<c10::DeviceType>(type)),
          "There is no device type ", type, ".");
  return static_cast<c10::DeviceType>(type);
}

c10::Device decode_device(int64_t device) {
  const auto type = decode_device_type(device >> 8);
  const auto index = static_cast<int8_t>(device & 0xff);
  require(index >= -1, "There is no device with the index ", static_cast<int>(index), ".");
  return c10::Device(type, index);
}

c10::ScalarType decode_dtype(int64_t dtype) {
  require(dtype >= 0 && dtype < static_cast<int64_t>(c10::ScalarType::NumOptions) &&
              dtype != static_cast<int64_t>(c10::ScalarType::Undefined),
          "There is no dtype ", dtype, ".");
  return static_cast<c10::ScalarType>(dtype);
}

Autocast::Autocast(c10::DeviceType device, c10::ScalarType dtype)
    : device_(device),
      dtype_(at::autocast::get_autocast_dtype(device)),
      enabled_(at::autocast::is_autocast_enabled(device)),
      cache_(at::autocast::is_autocast_cache_enabled()) {
  at::autocast::set_autocast_dtype(device, dtype);
  at::autocast::set_autocast_enabled(device, true);
  at::autocast::set_autocast_cache_enabled(false);
}

Autocast::~Autocast() {
  at::autocast::set_autocast_cache_enabled(cache_);
  at::autocast::set_autocast_enabled(device_, enabled_);
  at::autocast::set_autocast_dtype(device_, dtype_);
}

void Mode::enter(const dr_mode& mode) {
  constexpr int32_t known = DR_GRAD | DR_INFERENCE | DR_AUTOCAST;
  require((mode.flags & ~known) == 0, "The mode has unknown flags: ", mode.flags, ".");
  if ((mode.flags & DR_INFERENCE) != 0) {
    require((mode.flags & DR_GRAD) == 0, "DR_GRAD and DR_INFERENCE exclude each other.");
    inference_.emplace(true);
  }
  if ((mode.flags & DR_AUTOCAST) != 0) {
    const auto dtype = decode_dtype(mode.autocast_dtype);
    require(dtype == c10::kBFloat16 || dtype == c10::kHalf,
            "Autocast goes to BFloat16 or Half, not to ", c10::toString(dtype), ".");
    autocast_.emplace(decode_device_type(mode.autocast_device), dtype);
  }
  if (mode.stream != nullptr) {
    stream_.emplace(mode.stream->stream);
  }
}

}  // namespace darkroom
