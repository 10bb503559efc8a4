"""Questions on the sample space with the pages that answer them, and how answers measure up."""
