drop table if exists `a ``b``.%s Я`; create table `a ``b``.%s Я`(`order` int,`a``b` int,`100%` int,`столбец` int,`{c} %s` int); insert into `a ``b``.%s Я` values(1,2,3,4,5);
