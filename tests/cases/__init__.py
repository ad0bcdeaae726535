"""Small inputs with exact answers, drawn from what people report about files; each case names the reports."""
