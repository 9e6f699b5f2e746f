#include "image/tiff_file.hpp"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

namespace skincheck {

namespace {

TiffState& state_of(thandle_t handle) {
    return *static_cast<TiffState*>(handle);
}

tmsize_t on_read(thandle_t handle, void* to, tmsize_t count) {
    TiffState& state = state_of(handle);
    if (count < 0 || state.position >= state.bytes.size()) {
        return 0;
    }
    const auto there = static_cast<std::size_t>(state.bytes.size() - state.position);
    const std::size_t size = std::min(static_cast<std::size_t>(count), there);
    std::memcpy(to, state.bytes.data() + state.position, size);
    state.position += size;
    return static_cast<tmsize_t>(size);
}

toff_t on_seek(thandle_t handle, toff_t offset, int whence) {
    TiffState& state = state_of(handle);
    const std::uint64_t base = whence == SEEK_SET   ? 0
                               : whence == SEEK_CUR ? state.position
                                                    : std::uint64_t{state.bytes.size()};
    state.position = base + offset;  // beyond the end is allowed: reading there gives nothing
    return state.position;
}

int on_map(thandle_t handle, void** base, toff_t* size) {
    const Bytes bytes = state_of(handle).bytes;
    *base = const_cast<std::uint8_t*>(bytes.data());  // libtiff only reads what is mapped
    *size = bytes.size();
    return 1;
}

/// Whether libtiff complains of a tag that says nothing about pixels; it leaves such a tag away.
bool is_of_no_pixel(const char* module, std::string_view message) {
    if (message.starts_with("Defined set_field_type of custom tag")) {  // a tag that libtiff does not know
        return true;
    }
    constexpr std::array harmless{
        "\"Orientation\"", "\"ResolutionUnit\"", "\"XResolution\"",  "\"YResolution\"",
        "\"ICC Profile\"", "\"XMLPacket\"",      "\"RichTIFFIPTC\"", "\"Tag "};
    return module != nullptr && std::strcmp(module, "_TIFFVSetField") == 0 &&
           std::any_of(harmless.begin(), harmless.end(),
                       [&](const char* name) { return message.find(name) != std::string_view::npos; });
}

int on_error(TIFF*, void* user, const char* module, const char* format, va_list arguments) {
    TiffState& state = state_of(user);
    char message[sizeof state.message]{};
    std::vsnprintf(message, sizeof message, format, arguments);
    if (is_of_no_pixel(module, message)) {
        return 1;
    }
    if (!state.damaged) {
        std::memcpy(state.message, message, sizeof message);
    }
    state.damaged = true;
    return 1;
}

/// Warnings are about odd tags, except for those of decoders that have lost pixels or have too many.
int on_warning(TIFF* tiff, void* user, const char* module, const char* format, va_list arguments) {
    if (module != nullptr &&
        (std::strcmp(module, "JPEGLib") == 0 || std::strcmp(module, "PackBitsDecode") == 0)) {
        return on_error(tiff, user, module, format, arguments);
    }
    return 1;
}

}  // namespace

void CloseTiff::operator()(TIFF* tiff) const {
    TIFFClose(tiff);
}

Tiff open_tiff(TiffState& state) {
    const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                   &TIFFOpenOptionsFree);
    if (options == nullptr) {
        throw std::bad_alloc();
    }
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(state.max_memory));
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &state);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, &state);
    // O: the strips' places are read only as they are needed. The file counts as mapped, for it is in memory;
    // and without that libtiff 4.5 takes tiles for damaged whose size is no multiple of 1 KiB.
    return Tiff(TIFFClientOpenExt(
        "TIFF", "rO", &state, on_read, [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; }, on_seek,
        [](thandle_t) { return 0; }, [](thandle_t handle) -> toff_t { return state_of(handle).bytes.size(); },
        on_map, [](thandle_t, void*, toff_t) {}, options.get()));
}

}  // namespace skincheck
