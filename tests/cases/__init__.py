"""Small inputs with exact answers, drawn from what people report about files and databases; each case names the reports."""
