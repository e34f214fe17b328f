DROP TABLE drawings_people;
