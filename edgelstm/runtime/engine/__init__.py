"""Run a graph by onnxruntime: devices, sessions, bound buffers, threads."""
