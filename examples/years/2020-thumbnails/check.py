"""A picture made smaller, with a caption of a known width."""

from PIL import Image, ImageDraw

picture = Image.new("RGB", (200, 100), "white")
width, height = ImageDraw.Draw(picture).textsize("envelope")
assert width > height > 0
assert picture.resize((20, 10), Image.ANTIALIAS).size == (20, 10)
