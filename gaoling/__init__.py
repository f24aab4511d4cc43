"""Gaoling 高岭: infrastructure as code and monitoring for a city's cloud and extranet."""
