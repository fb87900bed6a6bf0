{
  "targets": [
    {
      "target_name": "arpeggio",
      "sources": [
        "<!@(node -p \"const list=require('fs').readdirSync;['native','native/wire'].flatMap(d=>list(d).filter(f=>f.endsWith('.cc')).sort().map(f=>d+'/'+f)).join(' ')\")"
      ],
      "include_dirs": [
        "<!(node -p \"require('node-addon-api').include_dir\")",
        "native"
      ],
      # The last: what a terminated worker cannot throw any more is dropped; without it the process aborts.
      "defines": ["NAPI_VERSION=9", "NAPI_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-std=gnu++14", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "-std=c++17",
        "-O2",
        "-fexceptions",
        "-fvisibility=hidden",
        "-Wall",
        "-Wextra",
        "-Wnon-virtual-dtor",
        # More of them, as errors, in scripts/native-build.mjs: there the headers of others can be left out.
        "-Woverloaded-virtual"
      ],
      "libraries": ["-lpthread"]
    }
  ]
}
