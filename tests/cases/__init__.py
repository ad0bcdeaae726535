"""Small inputs with exact answers, drawn from what people report about files and databases; cases name the reports."""
