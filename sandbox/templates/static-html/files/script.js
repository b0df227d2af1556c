// The page's behaviour goes here. It is loaded as a module, after the document has been read.
