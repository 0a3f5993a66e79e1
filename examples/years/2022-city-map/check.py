"""Which of the city's parks are near the river."""

from shapely.geometry import MultiPoint, Point

parks = MultiPoint([(0, 0), (3, 4), (30, 40)])
assert len(parks) == 3
assert [park.x for park in parks if park.distance(Point(0, 0)) < 10] == [0.0, 3.0]
