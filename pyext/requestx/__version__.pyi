__title__: str
__description__: str
__version__: str
