"""The push hub: who watches which job, and the SSE streams that tell them."""
