"""Getting a public study onto this disk: what there is, downloads that resume, archives."""
