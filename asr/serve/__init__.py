"""A server that speaks OpenAI's transcription interface, and live audio over WebSockets."""
